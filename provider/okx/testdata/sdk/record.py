"""Records how OKX's own SDK for Python (python-okx, https://github.com/okxapi/python-okx)
signs the calls that keywright makes. Nothing is sent.

    python record.py > ../signed.json
"""

import json

from okx.SubAccount import SubAccountAPI


class Answer:
    def json(self):
        return {}


class Recorder(SubAccountAPI):
    """The SDK's client; what it would send is kept."""

    def __init__(self, flag):
        super().__init__("recorded-key", "recorded-secret", "recorded-phrase", flag=flag)
        self.all = []

    def get(self, path, headers):
        return self.keep("GET", path, "", headers)

    def post(self, path, data, headers):
        return self.keep("POST", path, data, headers)

    def keep(self, method, path, body, headers):
        self.all.append({
            "Method": method, "Path": path, "Body": body,
            "Timestamp": headers["OK-ACCESS-TIMESTAMP"],
            "Sign": headers["OK-ACCESS-SIGN"].decode(),
        })
        return Answer()


r = Recorder("0")
r._request("GET", "/api/v5/account/config", {})
r.get_subaccount_list(limit="100", after="1597026383085")
r._request("POST", "/api/v5/users/subaccount/apikey", {
    "subAcct": "test0001", "label": "keywright-1", "passphrase": "Aa1!" * 4,
    "perm": "read_only,trade", "ip": "192.0.2.1,192.0.2.2",
})
r._request("POST", "/api/v5/users/subaccount/delete-apikey", {"subAcct": "test0001", "apiKey": "another-key"})
print(json.dumps(r.all, indent="\t"))
