"""Jobs and what the ledger knows -> what is bought, kept, left."""
