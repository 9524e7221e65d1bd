"""Asking real servers, workers and APIs what a job costs them."""
