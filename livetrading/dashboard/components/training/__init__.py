"""Training: the form, the models, one test, and deployment of what was trained."""
