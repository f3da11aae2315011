"""Strict local servers, one for each CRM: real HTTP on loopback, as unforgiving as the vendor's own."""
