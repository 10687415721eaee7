"""Several processes behind one address: a supervisor, its workers, and how they speak.

Each worker is one ``runtime`` with its own event loop; the kernel deals connections out among
them. What one of them cannot answer alone, it asks all of them for, through the supervisor.
"""
