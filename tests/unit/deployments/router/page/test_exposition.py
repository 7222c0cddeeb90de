"""What several exporters give becomes one text that a parser of Prometheus' takes."""

from prometheus_client.parser import text_string_to_metric_families

from deployments.router.page.exposition import merged

COUNTER = """# HELP ray_laar_requests_total Requests.
# TYPE ray_laar_requests_total counter
ray_laar_requests_total{WorkerId="%s"} %d
# HELP ray_node_mem Memory of a node.
# TYPE ray_node_mem gauge
ray_node_mem 5
"""


def test_series_of_all_exporters_stand_in_one_family() -> None:
    found = {f.name: f for f in text_string_to_metric_families(merged([COUNTER % ("a", 1), COUNTER % ("b", 2), None]))}
    assert found.keys() == {"ray_laar_requests", "laar_exporters"}
    requests = found["ray_laar_requests"]
    assert (requests.type, requests.documentation) == ("counter", "Requests.")
    assert {s.labels["WorkerId"]: s.value for s in requests.samples} == {"a": 1, "b": 2}
    assert {s.labels["read"]: s.value for s in found["laar_exporters"].samples} == {"true": 2, "false": 1}
