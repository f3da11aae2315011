"""What SugarCRM and SuiteCRM share: the same records, and the REST service v4_1 that both serve.

`beans` is about the records, whatever API brings them. The other modules speak v4_1: `service` (sign-in,
calls and errors), `find`, `describe` and `write`. Each connector takes from here what its setting `api` asks
for.

Facts: exchanges recorded from SugarCRM CE 6.5.26 and SuiteCRM 7.12.14, which `tests/recorded` holds.
"""
