"""One promise a row: what is asked, of whom, in how many turns, and what comes of it. `listing` knows them all."""
