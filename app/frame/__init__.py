"""What surrounds every page: head, address, links, status."""
