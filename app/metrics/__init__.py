"""What ops watch: counters and gauges for Prometheus."""
