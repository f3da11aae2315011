"""Exchanges recorded from real servers: SugarCRM 6.5.26, SuiteCRM 7.12.14 and Vtiger 8.2.0."""
