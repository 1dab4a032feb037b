"""The only modules that import a driver, one each."""
