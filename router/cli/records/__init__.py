"""`crmroute export`, `plan`, `apply`: the configuration in SQL, as files."""
