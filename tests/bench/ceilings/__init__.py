"""How far one process goes, without Asterisk: real sockets, real Redis, a quick AMI server."""
