"""`crmroute crm …`: what a tenant's CRM says, asked through a running worker as a call's look-up is."""
