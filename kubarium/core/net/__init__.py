"""The way of a packet through nodes, read out of what their kernels have: `kubarium net`.

In the order of use: `rules` reads a packet filter's table as nft lists it; `filtering` puts a packet through it; `scene`
is all that was collected of the nodes and pods; `way` follows a packet from its sender to a pod or to where it is lost;
`report` writes that for people and for programs; `asked` reads what was asked for, `listings` what hosts say of themselves.
For `kubarium net check`, `check_ground` is what is deployed, and `matrix` what is tried on it.
"""
