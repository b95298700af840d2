"""What `outrider demo` is made of: the mix of messages, the receiver that answers them, and the client."""
