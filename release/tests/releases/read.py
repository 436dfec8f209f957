"""Reads an unpacked release with the libraries of others, and shows that they refuse a changed one.

Arguments: the folder of the release, and the folder with the public keys.
"""

import base64
import copy
import json
import pathlib
import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
from sigstore_models.bundle.v1 import Bundle


def verified(bundle, key):
    """Returns the payload of a bundle if the key has signed it, as securesystemslib sees it."""
    envelope = copy.deepcopy(bundle["dsseEnvelope"])
    # This library looks for the name of the key in the signature. The protocol leaves it out.
    for signature in envelope["signatures"]:
        signature["keyid"] = key.keyid
    envelope = Envelope.from_dict(envelope)
    envelope.verify([key], 1)
    return envelope.payload


def is_refused(bundle, key):
    try:
        verified(bundle, key)
    except (VerificationError, ValueError):
        return True
    return False


def attestations(release, keys):
    ours = [keys["ci"], keys["rebuilder"]]
    paths = sorted(release.glob("attestations/*.sigstore.json"))
    for path in paths:
        text = path.read_text()
        # Sigstore's own model of a bundle.
        assert Bundle.from_json(text).verification_material.public_key.hint, path
        bundle = json.loads(text)
        signers = [key for key in ours if not is_refused(bundle, key)]
        assert len(signers) == 1, path
        assert is_refused(bundle, keys["stranger"]), path
        # in-toto's own model of a statement, which refuses fields that it does not know.
        statement = json.loads(verified(bundle, signers[0]))
        parsed = ParseDict(statement, statement_pb2.Statement())
        Statement.copy_from_pb(parsed).validate()
        assert parsed.predicate_type == "https://slsa.dev/provenance/v1"
        assert {subject.name for subject in parsed.subject} >= {"components/api.wasm", "sbom/api.cdx.json"}
    print(f"{len(paths)} attestations, each by one of two keys")


def changed_attestations(release, keys):
    refused = 0
    for path in sorted(release.glob("attestations/*.sigstore.json")):
        bundle = json.loads(path.read_text())
        if is_refused(bundle, keys["ci"]):
            continue
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
        for old, new in [
            (b"components/api.wasm", b"components/evil.wasm"),
            (b'"sources":"clean"', b'"sources":"dirty"'),
            (b"https://ci.example/builder", b"https://evil.example/builder"),
        ]:
            assert old in payload, old
            changed = copy.deepcopy(bundle)
            payload_changed = base64.b64encode(payload.replace(old, new)).decode()
            changed["dsseEnvelope"]["payload"] = payload_changed
            refused += is_refused(changed, keys["ci"])
        changed = copy.deepcopy(bundle)
        changed["dsseEnvelope"]["payloadType"] = "application/json"
        refused += is_refused(changed, keys["ci"])
        changed = copy.deepcopy(bundle)
        signature = bytearray(base64.b64decode(changed["dsseEnvelope"]["signatures"][0]["sig"]))
        signature[0] ^= 1
        changed["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()
        refused += is_refused(changed, keys["ci"])
    print(f"{refused} changed attestations are refused")


def bills(release):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    paths = sorted(release.glob("sbom/*.cdx.json"))
    refused = 0
    for path in paths:
        text = path.read_text()
        error = validator.validate_str(text)
        assert error is None, f"{path}: {error}"
        bill = json.loads(text)
        purls = {part["bom-ref"] for part in bill["components"]}
        graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
        assert set(graph) == purls | {"component"}, path
        assert all(set(needed) <= purls for needed in graph.values()), path
        bill["components"][0]["hashes"] = [{"alg": "MD9", "content": "00"}]
        refused += validator.validate_str(json.dumps(bill)) is not None
        refused += validator.validate_str(text.replace('"bomFormat":"CycloneDX"', '"bomFormat":"Other"')) is not None
    print(f"{len(paths)} bills of materials are valid CycloneDX 1.6")
    print(f"{refused} changed bills of materials are refused")


def keys_of_files(folder):
    """Has OpenSSL, by way of Python's library, read the private key."""
    private = load_pem_private_key((folder / "ci.key").read_bytes(), password=None)
    public = load_pem_public_key((folder / "ci.pub").read_bytes())
    assert private.public_key() == public
    public.verify(private.sign(b"message"), b"message")
    print("the private key is that of the public key")


def main():
    release, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    keys = {}
    for name in ["ci", "rebuilder", "stranger"]:
        public = load_pem_public_key((folder / f"{name}.pub").read_bytes())
        keys[name] = SSlibKey.from_crypto(public)
    attestations(release, keys)
    changed_attestations(release, keys)
    bills(release)
    keys_of_files(folder)


main()
