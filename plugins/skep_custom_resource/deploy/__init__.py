"""Deploys custom resources as Lambda functions, and tries them: zip, role, function, stack."""
