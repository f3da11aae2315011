"""Administration: what stands between the records and those who change or read them."""
