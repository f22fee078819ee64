"""The whole application, as tests/rest has it."""

from tests.rest.conftest import api, application, caller, services, tenant

__all__ = ["api", "application", "caller", "services", "tenant"]
