"""The BGP speaker: codec of what is not an UPDATE, FSM, negotiation (RFC 4271)."""
