"""The OpenAPI 3.1 document: what the framework finds in the routes, and what it cannot know."""

from app.rest.openapi.document import openapi_document, operation_id

__all__ = ["openapi_document", "operation_id"]
