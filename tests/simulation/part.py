# SPDX-License-Identifier: Apache-2.0
"""A process of the server: all of it, or one of the parts that it can be run as."""

from harness import Server


class Part(Server):
    """`services`: those of all services that it runs. `listen`: the port stays when it is told."""

    def __init__(self, name, folder, data, services,  # pylint: disable=super-init-not-called
                 listen="127.0.0.1:0", **settings):
        self.name, self.folder, self.data, self.listen = name, folder, data, listen
        self.services, self.settings = services, settings
        self.starts, self.process = 0, None
        data.mkdir()

    def run(self, environment):
        """Once more on the same data; devices need not wait until its workers are ready."""
        wanted = environment["IMAGESYNC_SERVICES"].split(",")
        self.environment = {
            **environment, **self.settings,
            "IMAGESYNC_SERVICES": ",".join(each for each in wanted if each in self.services)}
        self.starts += 1
        self.log_path = self.folder / f"{self.name}-{self.starts}.log"
        self.start()

    def _wait_until_ready(self):
        pass

    def alive(self):
        return self.process is not None and super().alive()

    def kill(self):
        if self.alive():
            super().kill()
