"""What ops put into Prometheus and Grafana: rules, alerts and dashboards, written by `make monitoring`."""
