"""The records in SQL: configuration, its versions and publications, accounts, audit, decisions."""
