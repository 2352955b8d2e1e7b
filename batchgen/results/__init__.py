"""What people open: results.csv, the page, exports."""
