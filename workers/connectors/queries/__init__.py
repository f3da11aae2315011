"""The CRMs' query languages, each built by one module with one escaping function; property tests hold them.

A language's module is the only place where a text from a caller or a tenant becomes part of a query.
"""
