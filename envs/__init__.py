"""Robot environments, and the human who demonstrates in them. Importing this package registers the environments."""

import gymnasium

gymnasium.register(id="daml/Reach-v0", entry_point="envs.reaching:ReachEnv")
