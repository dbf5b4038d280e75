"""Parts that cores are made of: addressing, attention, links, stores, recurrent cells."""
