"""The part of a cloud that gives each Service of type LoadBalancer an address, 198.51.100.1 and on."""

from api import replace, watch

given = 0
for event, service in watch("services"):
    if event == "DELETED" or service["spec"]["type"] != "LoadBalancer" or service["status"]["loadBalancer"]:
        continue
    given += 1
    meta = service["metadata"]
    service["status"]["loadBalancer"] = {"ingress": [{"ip": f"198.51.100.{given}"}]}
    replace(f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}/status", service)
    print(meta["namespace"], meta["name"], f"198.51.100.{given}", flush=True)
