"""The shards of a prepared corpus: the format is `mien.common.shards`, as a reader of corpora reads such files too."""

from mien.common.shards import Entry as Entry
from mien.common.shards import Frames as Frames
from mien.common.shards import Shard as Shard
from mien.common.shards import entries as entries
from mien.common.shards import entries_of as entries_of
from mien.common.shards import frames as frames
from mien.common.shards import mend as mend
from mien.common.shards import reasons as reasons
from mien.common.shards import write as write
