"""manifest -> rows -> validated jobs -> plan + estimated credits -> attempts (POST) -> tasks (GET)
-> video files -> results.csv, report.html, with the ledger beside all of it.
"""

__version__ = "0.1.0"
