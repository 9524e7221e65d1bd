"""One file a version. What has been released is never changed: another file follows it."""
