"""What an operator does with a database: looks at it, brings its schema up to date, checks it, copies it."""
