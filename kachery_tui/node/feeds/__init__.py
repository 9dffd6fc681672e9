"""The exchange of feeds: followed ones of others, own ones for others."""
