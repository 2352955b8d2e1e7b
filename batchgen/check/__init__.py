"""Rows -> jobs with ids and prices, or problems in sentences."""
