"""The OpenAPI 3.1 document: what the framework finds in the routes, and what it cannot know."""

from app.rest.openapi.document import openapi_document, operation_id
from app.rest.openapi.problem_docs import problems_document

__all__ = ["openapi_document", "operation_id", "problems_document"]
