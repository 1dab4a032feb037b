"""The web client and its library in a real browser, beside RxDB and PouchDB."""
