"""What the use cases need of the outside: promises that adapters keep."""
