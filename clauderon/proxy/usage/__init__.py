"""What the model APIs say was used: read from their answers as these pass.

Reading never alters, delays or holds a byte of an answer, and never raises into the data plane: what cannot be read is
counted as unknown. Pure: no sockets, no clock, no database.
"""
