"""The pages in the browser and the REST routes."""
