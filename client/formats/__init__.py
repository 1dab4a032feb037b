"""Tasks as other programs write them. Each module is pure and has

    documents_of(raw)   what a file says, by id; ExportError names what is wrong, all of it, by line and entry
    text_of(bodies)     the file for these tasks, and the names of fields that the format has no place for

Laws (tests/unit/client/formats): reading a file twice gives the same ids and bodies; what was written is read as it
was, the fields aside that were named.
"""
