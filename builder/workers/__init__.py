"""How work is put into another process, limited in time and memory."""
