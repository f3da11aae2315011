"""The REST API: everything that the page does, as JSON; `/api/v1/openapi.json` describes it."""
