"""Which requests count as writes, how they are sorted, and what a rule matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akeso_lab.proxy import Match, RequestRecord, Target, counts_as_write

POD = "/api/v1/namespaces/shop/pods/web"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/nodes", Target("", "v1", "nodes")),
        ("/api/v1/namespaces", Target("", "v1", "namespaces")),
        ("/api/v1/namespaces/shop", Target("", "v1", "namespaces", "", "shop")),
        (
            "/api/v1/namespaces/shop/finalize",
            Target("", "v1", "namespaces", "", "shop", "finalize"),
        ),
        (POD, Target("", "v1", "pods", "shop", "web")),
        (POD + "/eviction", Target("", "v1", "pods", "shop", "web", "eviction")),
        (DEPLOYMENTS, Target("apps", "v1", "deployments", "shop")),
        (DEPLOYMENTS + "/web/scale", Target("apps", "v1", "deployments", "shop", "web", "scale")),
        ("/apis/apps/v1", None),
        ("/api", None),
        ("/version", None),
    ],
)
def test_a_path_names_its_resource(path: str, target: Target | None) -> None:
    assert Target.parse(path) == target


@given(st.text())
def test_any_text_can_be_a_path(path: str) -> None:
    Target.parse(path)
    RequestRecord(method="GET", path=path)


@pytest.mark.parametrize(
    ("method", "path", "query", "verb"),
    [
        ("GET", POD, "", "get"),
        ("GET", DEPLOYMENTS, "limit=500", "list"),
        ("GET", DEPLOYMENTS, "watch=true&resourceVersion=5", "watch"),
        ("GET", DEPLOYMENTS, "watch=false", "list"),
        ("GET", "/version", "", "get"),
        ("DELETE", POD, "", "write"),
        ("POST", POD + "/eviction", "", "write"),
        ("PATCH", POD + "/resize", "", "write"),
        ("PATCH", "/apis/akeso.dev/v1alpha1/namespaces/shop/healings/x/status", "", "write"),
        ("PATCH", POD, "dryRun=All", "bookkeeping"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/l", "", "bookkeeping"),
        ("POST", "/api/v1/namespaces/shop/events", "", "bookkeeping"),
        ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events", "", "bookkeeping"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "", "bookkeeping"),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "", "bookkeeping"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "", "bookkeeping"),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", "", "bookkeeping"),
        ("POST", "/api/v1/namespaces/a/serviceaccounts", "", "write"),
        ("POST", "/apis/example.org/v1/namespaces/a/events", "", "write"),
        ("GET", "/api/v1/query", "query=up", "query"),
        ("POST", "/api/v1/query_range", "", "query"),
        ("GET", "/api/v1/label/job/values", "", "query"),
    ],
)
def test_a_request_has_one_verb_and_only_lasting_changes_count_as_writes(
    method: str, path: str, query: str, verb: str
) -> None:
    record = RequestRecord(method=method, path=path, query=query)
    assert record.verb == verb
    assert counts_as_write(record) is (verb == "write")


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Match(), True),
        (Match(methods="PATCH"), True),
        (Match(methods=("PUT", "POST")), False),
        (Match(path="/pods/web$"), True),
        (Match(path="^/apis/"), False),
        (Match(verbs=("write", "list")), True),
        (Match(verbs="watch"), False),
        (Match(user_agent="^akeso/"), True),
        (Match(user_agent="kubectl"), False),
        (Match(query="fieldManager=a b"), True),
        (Match(path="web", user_agent="kubectl"), False),
    ],
)
def test_every_field_of_a_rule_has_to_hold(rule: Match, fits: bool) -> None:
    query = "fieldManager=a+b"
    record = RequestRecord(method="PATCH", path=POD, query=query, user_agent="akeso/1")
    assert rule.selects(record) is fits


def test_the_query_of_a_form_is_searched_as_well() -> None:
    record = RequestRecord(method="POST", path="/api/v1/query", body=b"query=up%7Bjob%3D%22a%22%7D")
    assert Match(query='up{job="a"}').selects(record)


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        (Match(), [1, 2, 3, 4, 5, 6]),
        (Match(first=2), [1, 2]),
        (Match(nth=3), [3]),
        (Match(every=3), [3, 6]),
    ],
)
def test_occurrences_are_counted_from_one(rule: Match, struck: list[int]) -> None:
    assert [number for number in range(1, 7) if rule.falls_on(number)] == struck


def test_a_rule_that_makes_no_sense_is_refused_when_it_is_written() -> None:
    with pytest.raises(ValueError, match="unknown verb"):
        Match(verbs="wacth")
    with pytest.raises(ValueError, match="at most one"):
        Match(first=1, nth=2)
    with pytest.raises(ValueError, match="at least 1"):
        Match(nth=0)
