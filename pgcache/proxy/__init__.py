"""The conversation: listeners, handshake, client and origin connections, the session.

``listener`` accepts, ``handshake`` logs a client in at the origin, ``session`` holds the slow lane
(read it first), ``decide`` says what is to be done with a statement, ``prepared`` keeps statements
and portals, ``capture`` records replies, ``serve`` plays them back, ``forward`` sends on.
"""
