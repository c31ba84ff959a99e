"""Which phone gets which file, and when: locks, ways in, what phones did, what is to be done."""

from provisioning.models.doors import Approval as Approval
from provisioning.models.doors import Window as Window
from provisioning.models.doors import WindowQuerySet as WindowQuerySet
from provisioning.models.locks import Claim as Claim
from provisioning.models.locks import Denial as Denial
from provisioning.models.locks import Lock as Lock
from provisioning.models.locks import MacRecord as MacRecord
from provisioning.models.locks import OwnedByDevice as OwnedByDevice
from provisioning.models.locks import PolicyValue as PolicyValue
from provisioning.models.locks import Token as Token
from provisioning.models.locks import first_revision as first_revision
from provisioning.models.locks import network_or_none as network_or_none
from provisioning.models.locks import state_choices as state_choices
from provisioning.models.locks import token_kind_choices as token_kind_choices
from provisioning.models.seen import CheckInHour as CheckInHour
from provisioning.models.seen import DeviceEvent as DeviceEvent
from provisioning.models.seen import Drain as Drain
from provisioning.models.seen import FailureKey as FailureKey
from provisioning.models.seen import LastSeen as LastSeen
from provisioning.models.seen import Proof as Proof
from provisioning.models.seen import Upload as Upload
from provisioning.models.work import Job as Job
from provisioning.models.work import JobItem as JobItem
from provisioning.models.work import ListsVersion as ListsVersion
from provisioning.models.work import Outbox as Outbox
from provisioning.models.work import Stamp as Stamp
