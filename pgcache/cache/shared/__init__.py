"""The shared store: entries, generations, locks and leases in Redis, for all proxies of an origin.

``space`` is one database's part of it, as one proxy sees it; ``scripts`` is what Redis does in one
step; ``client`` is the only module that knows redis. The rules are T-10 to T-17.
"""
