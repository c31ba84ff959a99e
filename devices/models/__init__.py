"""What the phones are: devices, the identities they show, where they stand, how they are set."""

from devices.models.directory import Contact as Contact
from devices.models.directory import Directory as Directory
from devices.models.phones import Appearance as Appearance
from devices.models.phones import Device as Device
from devices.models.phones import DeviceQuerySet as DeviceQuerySet
from devices.models.phones import Extension as Extension
from devices.models.phones import Holiday as Holiday
from devices.models.phones import Key as Key
from devices.models.phones import KeyColumns as KeyColumns
from devices.models.phones import Profile as Profile
from devices.models.phones import ProfileKey as ProfileKey
from devices.models.phones import ProfileQuerySet as ProfileQuerySet
from devices.models.phones import RawValue as RawValue
from devices.models.phones import SettingValue as SettingValue
from devices.models.phones import Site as Site
from devices.models.phones import SiteNetwork as SiteNetwork
from devices.models.phones import family_choices as family_choices
