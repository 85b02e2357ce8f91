"""What the end-to-end tests share. Nothing here sleeps for a fixed time: wait_for() looks every 20 ms."""
