"""The pages: rendered here, with htmx for what changes in place; they use what the API uses."""
