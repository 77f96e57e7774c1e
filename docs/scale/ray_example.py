"""A planned study on a Ray cluster: python ray_example.py study.plan 16 2 (plan, shards, waves).

Every node sees the plan, the program and the model under the same paths. Run it again after a failure: what is done is not
computed again.
"""

import subprocess
import sys

import ray

plan, shards, waves = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Again(Exception):
    """The shard was stopped or killed, or does not see yet what others have written."""


# Ray itself repeats only what a lost node took with it; a program that ended with a code is repeated where an exception says so.
# Without GPUs: num_cpus=8 in place of num_gpus=1.
@ray.remote(num_gpus=1, max_retries=3, retry_exceptions=[Again])
def shard(wave: int, number: int) -> None:
    line = ["engram", "study", "--plan", plan, "--wave", str(wave), "--shard", f"{number}/{shards}", "--wait", "120"]
    code = subprocess.run(line, check=False).returncode
    # Python's codes below zero are signals: killed, such as for memory (-9), stopped (-15), a disk gone (-7).
    if code in (75, 3, -7, -9, -15):
        raise Again(f"shard {number} of wave {wave}: exit code {code}")
    if code != 0:
        raise RuntimeError(f"shard {number} of wave {wave}: exit code {code}")


ray.init(address="auto", runtime_env={"env_vars": {"HF_HUB_OFFLINE": "1"}})
for wave in range(1, waves + 1):
    ray.get([shard.remote(wave, number) for number in range(shards)])
subprocess.run(["engram", "merge", plan, "--wait", "120"], check=True)
