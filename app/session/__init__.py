"""What belongs to one visitor's session: who looks, the store, recorded examples, their tables, jobs, and the Lab's address.

A page imports the modules and calls through them (`visitor.read_owner()`, `uploads.list_uploads()`): the call names the file that holds
the function, and a test patches it in one place. `get_store`, `read_catalog` and the like are imported by name where a page has a
variable called `store` or `jobs`. The app's only cache decorators are in this package.
"""
