"""One file per dialect or noun; each makes a router from what it is handed."""
